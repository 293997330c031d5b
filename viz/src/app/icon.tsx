/**
 * Signs on buttons, drawn: fonts lack some of them.
 */

const PATHS = {
  play: "M5,3L13,8L5,13Z",
  pause: "M4,3H7V13H4ZM9,3H12V13H9Z",
  back: "M11,3L4,8L11,13Z",
  on: "M5,3L12,8L5,13ZM12,3H14V13H12Z",
  backStep: "M11,3L4,8L11,13ZM2,3H4V13H2Z",
  first: "M13,3L8,8L13,13ZM8,3L3,8L8,13ZM1,3H3V13H1Z",
  last: "M3,3L8,8L3,13ZM8,3L13,8L8,13ZM13,3H15V13H13Z",
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" class="sign">
      <path d={PATHS[name]} fill="currentColor" />
    </svg>
  );
}
