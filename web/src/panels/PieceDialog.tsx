/** A picture of the gallery, large, with what it was made with and what can be done with it. */

import { type KeyboardEvent, type ReactElement, useEffect, useState } from "react";

import { useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { wordsOf } from "../api/socket";
import { labelOf } from "../model/catalogue";
import type { Document, Json } from "../model/document";
import { fields } from "../model/parameters";
import type { Piece } from "../model/pieces";
import { recipeOf, runOnceMore, takeRecipe } from "../session/gallery";
import { beginWorkflow } from "../session/library";
import { notify } from "../session/notices";
import { Dialog } from "../widgets/Dialog";
import { Icon } from "../widgets/icons";

interface PieceDialogProps {
  readonly piece: Piece;
  onClose(): void;
  onGo?(by: number): void;
}

export function PieceDialog({ piece, onClose, onGo }: PieceDialogProps): ReactElement {
  const say = useSay();
  const recipe = useRecipe(piece);
  const open = useWorkspace((state) => state.name);
  const onKeyDown = ({ key }: KeyboardEvent) => {
    if (key === "ArrowLeft") onGo?.(-1);
    if (key === "ArrowRight") onGo?.(1);
  };
  return (
    <Dialog
      title={piece.number === null ? piece.title : `${piece.title} #${piece.number}`}
      className="piece"
      onClose={onClose}
    >
      <div className="piece-inside" onKeyDown={onKeyDown}>
        <div className="piece-picture">
          <img src={piece.url} alt={say("pictureOf", { label: piece.title })} />
          {onGo && (
            <>
              <button type="button" className="piece-back" aria-label={say("previousPicture")} onClick={() => onGo(-1)}>
                <Icon name="back" />
              </button>
              <button type="button" className="piece-forth" aria-label={say("nextPicture")} onClick={() => onGo(1)}>
                <Icon name="forth" />
              </button>
            </>
          )}
        </div>
        <div className="piece-about">
          {piece.ended !== null && <p className="piece-when">{new Date(piece.ended * 1000).toLocaleString()}</p>}
          {recipe && <Values recipe={recipe} />}
          <div className="piece-actions">
            {recipe && open !== null && open === piece.identity && (
              <button
                type="button"
                className="primary"
                onClick={() => {
                  takeRecipe(recipe);
                  onClose();
                }}
              >
                {say("useValues")}
              </button>
            )}
            {recipe && (
              <button
                type="button"
                onClick={() => {
                  onClose();
                  void beginWorkflow(recipe, piece.identity || piece.title);
                }}
              >
                {say("openItsWorkflow")}
              </button>
            )}
            <button
              type="button"
              onClick={() => {
                void runOnceMore(piece.run);
                onClose();
              }}
            >
              {say("runOnceMore")}
            </button>
            {piece.file && (
              <a className="button" href={piece.file} download={piece.name}>
                {say("download")}
              </a>
            )}
          </div>
        </div>
      </div>
    </Dialog>
  );
}

function Values({ recipe }: { readonly recipe: Document }): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const list = fields(catalogue, recipe, recipe);
  if (!list.length) return <p className="side-empty">{say("noParametersGiven")}</p>;
  return (
    <dl className="piece-values">
      {list.map(({ name, value, schema }) => (
        <div key={name}>
          <dt>{labelOf(name)}</dt>
          <dd>{shown(value ?? schema.default ?? null)}</dd>
        </div>
      ))}
    </dl>
  );
}

function shown(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Return what made a picture, once it is read. */
function useRecipe(piece: Piece): Document | null {
  const [read, setRead] = useState<{ readonly of: string; readonly recipe: Document } | null>(null);
  useEffect(() => {
    let wanted = true;
    recipeOf(piece).then(
      (recipe) => wanted && setRead({ of: piece.key, recipe }),
      (error: unknown) => wanted && notify("error", "failed", { why: wordsOf(error) }),
    );
    return () => {
      wanted = false;
    };
  }, [piece]);
  return read?.of === piece.key ? read.recipe : null;
}
