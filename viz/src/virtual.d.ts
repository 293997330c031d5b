/**
 * Modules that the build makes.
 */

declare module "virtual:gallery" {
  export const gallery: readonly import("./panels/gallery/entry.ts").GalleryEntry[];
}

declare module "virtual:gallery-words" {
  export const words: Readonly<Record<string, string>>;
}
