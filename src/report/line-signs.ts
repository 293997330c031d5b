/**
 * Signs at the ends of lines, as SVG paths around 0,0: colour alone tells nobody apart.
 */

export const LINE_SIGNS = [
  "M-5,-5H5V5H-5Z",
  "M0,-6L6,0L0,6L-6,0Z",
  "M0,-6L6,5H-6Z",
  "M0,-5A5,5 0 1 1 -0.01,-5Z",
  "M0,6L6,-5H-6Z",
  "M-6,-2H-2V-6H2V-2H6V2H2V6H-2V2H-6Z",
  "M-3,-6H3L6,0L3,6H-3L-6,0Z",
  "M-6,-3H6V3H-6Z",
] as const;
