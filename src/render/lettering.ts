/** A pen's way across the paper. */
export type Stroke = readonly { x: number; y: number }[];

/**
 * Letters as pen strokes, so that a picture needs no font and is the same everywhere. Each pair of digits is a point:
 * x from 0 to 4, y from 0 (top of a capital) over 6 (base line) to 8; a space lifts the pen.
 */
const letters: Readonly<Record<string, string>> = {
  "0": "103041453616050110",
  "1": "012026 0646",
  "2": "01103041420646",
  "3": "01103041423313 334445361605",
  "4": "36300444",
  "5": "400002324345361605",
  "6": "413010010516364544331304",
  "7": "004016",
  "8": "103041423313020110 3344453616050413",
  "9": "051636454130100102133342",
  A: "062046 1434",
  B: "0006 003041423303 3344453606",
  C: "4130100105163645",
  D: "00204244260600",
  E: "40000646 0333",
  F: "400006 0333",
  G: "41301001051636454323",
  H: "0006 4046 0343",
  I: "0020 1016 0626",
  J: "4045361605",
  K: "0006 4004 1346",
  L: "000646",
  M: "0600234046",
  N: "06004640",
  O: "103041453616050110",
  P: "06003041423303",
  Q: "103041453616050110 2446",
  R: "06003041423303 2346",
  S: "413010010213334445361605",
  T: "0040 2026",
  U: "000516364540",
  V: "002640",
  W: "0016233640",
  X: "0046 4006",
  Y: "0023 402326",
  Z: "00400646",
  a: "4246 4332120305163645",
  b: "0006 0312324345361605",
  c: "4332120305163645",
  d: "4046 4332120305163645",
  e: "04444332120305163645",
  f: "30201116 0232",
  g: "4247381807 4332120305163645",
  h: "0006 0312324346",
  i: "0206 0000",
  j: "121708 1010",
  k: "0006 3205 1436",
  l: "000516",
  m: "0206 03122326 23324346",
  n: "0206 0312324346",
  o: "123243453616050312",
  p: "0208 0312324345361605",
  q: "4248 4332120305163645",
  r: "0206 041232",
  s: "43321203143445361605",
  t: "10152636 0232",
  u: "0205163645 4246",
  v: "022642",
  w: "0216233642",
  x: "0246 4206",
  y: "0226 4218",
  z: "02420646",
  ".": "0606",
  ",": "1607",
  ":": "0303 0606",
  "-": "0434",
  _: "0747",
  "/": "0640",
  "?": "01103041422324 2626",
};

const SPACE_WIDTH = 2.2;
const BETWEEN = 1.8;
/** The pen's grid is square, letters are not. */
const NARROW = 0.8;

/** A line of words as strokes, its top left corner at 0, 0; capitals are 6 units high. An unknown sign becomes `?`. */
export function lettering(text: string, unit: number): { strokes: Stroke[]; width: number } {
  const strokes: Stroke[] = [];
  let left = 0;
  for (const sign of text) {
    if (sign === " ") {
      left += SPACE_WIDTH;
      continue;
    }
    const drawn = strokesOf(letters[sign] ?? (letters["?"] as string));
    for (const stroke of drawn)
      strokes.push(stroke.map(({ x, y }) => ({ x: (left + x * NARROW) * unit, y: y * unit })));
    left += Math.max(...drawn.flat().map(({ x }) => x)) * NARROW + BETWEEN;
  }
  return { strokes, width: Math.max(0, left - BETWEEN) * unit };
}

function strokesOf(glyph: string): Stroke[] {
  return glyph
    .split(" ")
    .map((digits) => [...digits.matchAll(/(\d)(\d)/g)].map((pair) => ({ x: Number(pair[1]), y: Number(pair[2]) })));
}
