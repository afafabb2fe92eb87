import { useSay } from "../i18n";

/** Return how to say a length of time: `1.4 s`, `12 s`, `3 min 20 s`; in whole seconds where no more is meant. */
export function useDuration(): (seconds: number, whole?: boolean) => string {
  const say = useSay();
  return (seconds, isWhole = false) => {
    if (seconds < 10 && !isWhole)
      return say("seconds", { seconds: seconds < 0.095 ? seconds.toFixed(2) : seconds.toFixed(1) });
    const whole = Math.round(seconds);
    if (whole < 60) return say("seconds", { seconds: whole });
    return say("minutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
  };
}
