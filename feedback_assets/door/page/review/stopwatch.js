// Seconds since the start during which the page was to be seen.

export function stopwatch() {
  let spent = 0;
  let since = document.visibilityState === "visible" ? performance.now() : null;
  const turn = () => {
    if (since !== null) spent += performance.now() - since;
    since = document.visibilityState === "visible" ? performance.now() : null;
  };
  return { turn, seconds: () => (turn(), Math.round(spent) / 1000) };
}
