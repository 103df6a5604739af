// Pictures from the user's disk, as providers take them.
import i18n from "../i18n/index.ts";
import type { Image } from "./chat/types.ts";

const BYTES_MOST = 5 << 20;
const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/** Refuses what no provider takes. */
export function readImage(file: File): Promise<Image> {
  if (!TYPES.includes(file.type) || file.size > BYTES_MOST)
    return Promise.reject(new Error(i18n.t("playground.image_unfit", { name: file.name })));
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error ?? new Error(file.name));
    reader.onload = () => {
      const url = reader.result as string;
      resolve({ name: file.name, type: file.type, data: url.slice(url.indexOf(",") + 1) });
    };
    reader.readAsDataURL(file);
  });
}
