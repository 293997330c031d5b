/**
 * Word splitting (bash manual 3.5.7) on the pieces that an expansion gave.
 */

export interface Piece {
  readonly text: string;
  /** Came from quotes: never split, never a pattern, and keeps an empty field alive. */
  readonly isQuoted: boolean;
  /** Came from an unquoted expansion: IFS splits it. */
  readonly isSplit: boolean;
}

/** Ends a field, as between the elements of "$@". */
export const FIELD_BREAK: Piece = { text: "", isQuoted: false, isSplit: false };

/** Fields as lists of pieces. `ifs` undefined means space, tab and newline. */
export function splitFields(pieces: readonly Piece[], ifs: string | undefined): Piece[][] {
  const separators = ifs ?? " \t\n";
  const fields: Piece[][] = [];
  let current: Piece[] | undefined;
  let isAfterBlank = false;
  const put = (piece: Piece): void => {
    if (current === undefined) current = [piece];
    else current.push(piece);
  };
  const end = (): void => {
    if (current !== undefined) fields.push(current);
    current = undefined;
  };
  for (const piece of pieces) {
    if (piece === FIELD_BREAK) {
      end();
      isAfterBlank = false;
      continue;
    }
    if (!piece.isSplit) {
      if (piece.text !== "" || piece.isQuoted) put(piece);
      if (piece.text !== "" || piece.isQuoted) isAfterBlank = false;
      continue;
    }
    let start = 0;
    for (let i = 0; i <= piece.text.length; i++) {
      const character = piece.text[i];
      const isSeparator = character !== undefined && separators.includes(character);
      if (character !== undefined && !isSeparator) continue;
      if (i > start) {
        put({ text: piece.text.slice(start, i), isQuoted: false, isSplit: true });
        isAfterBlank = false;
      }
      start = i + 1;
      if (character === undefined) break;
      if (character === " " || character === "\t" || character === "\n") {
        if (current !== undefined) isAfterBlank = true;
        end();
      } else {
        if (current === undefined && !isAfterBlank) fields.push([]);
        end();
        isAfterBlank = false;
      }
    }
  }
  end();
  return fields;
}
