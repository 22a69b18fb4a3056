// Where a popover stands: beside what it belongs to, and inside the window.

const GAP = 6;
const EDGE = 8;

/** above: whether there first, where there is room. */
export function place(box, near, { above = false } = {}) {
  const { width, height } = box.getBoundingClientRect();
  const over = near.top - height - GAP;
  const under = near.bottom + GAP;
  const fitsUnder = under + height < innerHeight - EDGE;
  const goesOver = over > EDGE && (above || !fitsUnder);
  box.style.insetBlockStart = `${Math.max(EDGE, goesOver ? over : Math.min(under, innerHeight - height - EDGE))}px`;
  const x = near.left + near.width / 2 - width / 2;
  box.style.left = `${Math.max(EDGE, Math.min(x, innerWidth - width - EDGE))}px`;
}
