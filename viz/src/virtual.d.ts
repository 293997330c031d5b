/**
 * Modules that the build makes.
 */

declare module "virtual:gallery" {
  export const gallery: readonly import("./panels/gallery/entry.ts").GalleryEntry[];
}
