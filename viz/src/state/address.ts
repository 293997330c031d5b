/**
 * What the page's address holds.
 */

/** Whether a part behind `#` names a run or a file to open. */
export function isLink(hash: string): boolean {
  return /[#&](?:s|file)=/.test(hash);
}
