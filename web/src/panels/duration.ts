import { useSay } from "../i18n";

/** Return how to say a length of time: `12 s`, `3 min 20 s`. */
export function useDuration(): (seconds: number) => string {
  const say = useSay();
  return (seconds) => {
    if (seconds < 10) return say("seconds", { seconds: seconds < 0.095 ? seconds.toFixed(2) : seconds.toFixed(1) });
    const whole = Math.round(seconds);
    if (whole < 60) return say("seconds", { seconds: whole });
    return say("minutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
  };
}
