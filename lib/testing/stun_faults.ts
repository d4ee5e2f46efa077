/**
 * Answers as nobody should send them, each wrong in one way.
 *
 * @param answer A right one.
 * @returns Wrong ones: cut short, with bytes to spare, without the magic cookie, with an attribute that
 * goes past the end, with a length that is no multiple of 4, with a wrong fingerprint, and none at all.
 */
export function malformedAnswers(answer: Uint8Array): Uint8Array[] {
  const changed = (change: (copy: Uint8Array, view: DataView) => void) => {
    const copy = answer.slice();
    change(copy, new DataView(copy.buffer));
    return copy;
  };
  const { length } = answer;
  return [
    answer.slice(0, length - 1),
    answer.slice(0, 19),
    new Uint8Array([...answer, 0, 0, 0, 0]),
    changed((copy) => copy[4] = 0),
    changed((_, view) => view.setUint16(22, length)),
    changed((_, view) => view.setUint16(2, length - 21)),
    changed((copy) => copy[0] = 0x80),
    withWrongFingerprint(answer),
    new Uint8Array(),
  ];
}

function withWrongFingerprint(answer: Uint8Array): Uint8Array {
  const sealed = new Uint8Array([...answer, 0x80, 0x28, 0, 4, 1, 2, 3, 4]);
  new DataView(sealed.buffer).setUint16(2, sealed.length - 20);
  return sealed;
}
