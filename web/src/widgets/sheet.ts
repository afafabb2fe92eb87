/** What a mask is painted on: a canvas of the picture's size, white where the mask is, with the steps taken. */

export interface Brush {
  /** Its diameter in pixels of the picture. */
  readonly size: number;
  readonly erases: boolean;
}

const STEPS = 30;
const TINT = [255, 80, 80, 150] as const;

/** The size of a sheet that is not there yet. */
export const blank = (side: number) => ({ width: side, height: side });

export class MaskSheet {
  private readonly canvas: HTMLCanvasElement;
  private readonly past: ImageData[] = [];
  readonly paint: CanvasRenderingContext2D;

  constructor(
    readonly width: number,
    readonly height: number,
    before: HTMLImageElement | null,
  ) {
    this.canvas = document.createElement("canvas");
    [this.canvas.width, this.canvas.height] = [width, height];
    this.paint = this.canvas.getContext("2d", { willReadFrequently: true })!;
    this.fill(false);
    if (before) this.paint.drawImage(before, 0, 0, width, height);
  }

  /** Keep what is there, to go back to. */
  remember(): void {
    this.past.push(this.paint.getImageData(0, 0, this.width, this.height));
    if (this.past.length > STEPS) this.past.shift();
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  undo(): void {
    const before = this.past.pop();
    if (before) this.paint.putImageData(before, 0, 0);
  }

  fill(white: boolean): void {
    this.paint.fillStyle = white ? "#fff" : "#000";
    this.paint.fillRect(0, 0, this.width, this.height);
  }

  invert(): void {
    const pixels = this.paint.getImageData(0, 0, this.width, this.height);
    const { data } = pixels;
    for (let i = 0; i < data.length; i += 4) data[i] = data[i + 1] = data[i + 2] = 255 - data[i]!;
    this.paint.putImageData(pixels, 0, 0);
  }

  /** Show the mask as a tint, see-through elsewhere. */
  show(view: HTMLCanvasElement): void {
    const pixels = this.paint.getImageData(0, 0, this.width, this.height);
    const { data } = pixels;
    for (let i = 0; i < data.length; i += 4) {
      const share = data[i]! / 255;
      [data[i], data[i + 1], data[i + 2], data[i + 3]] = [TINT[0], TINT[1], TINT[2], TINT[3] * share];
    }
    view.getContext("2d")!.putImageData(pixels, 0, 0);
  }

  /** Return the mask as a PNG file. */
  blob(): Promise<Blob> {
    return new Promise((done, failed) =>
      this.canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the mask is too large"))), "image/png"),
    );
  }
}

/** Paint from one place to another. */
export function stroke(
  sheet: MaskSheet,
  from: readonly [number, number],
  to: readonly [number, number],
  { size, erases }: Brush,
): void {
  const { paint } = sheet;
  paint.strokeStyle = erases ? "#000" : "#fff";
  paint.lineWidth = size;
  paint.lineCap = "round";
  paint.beginPath();
  paint.moveTo(...from);
  paint.lineTo(to[0] + 0.01, to[1]);
  paint.stroke();
}

/** Paint a single dot. */
export function stampAt(sheet: MaskSheet, x: number, y: number, brush: Brush): void {
  stroke(sheet, [x, y], [x, y], brush);
}

/** Load a picture of this server. */
export function loadPicture(url: string): Promise<HTMLImageElement | null> {
  return new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => done(null);
    image.src = url;
  });
}
