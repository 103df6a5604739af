// What a form can say before the program is asked. The program's own word follows and counts.
import type { TFunction } from "i18next";

/** `all` are the form's values. */
export type Rule<V> = (value: V, t: TFunction, all: object) => string | undefined;

export const required = (): Rule<string> => (value, t) =>
  value.trim() ? undefined : t("form.required");

export const lengthBetween =
  (min: number, max: number): Rule<string> =>
  (value, t) =>
    [...value].length >= min && [...value].length <= max
      ? undefined
      : t("form.length", { min, max });

export const sameAs =
  (other: string): Rule<string> =>
  (value, t, all) =>
    value === (all as Record<string, unknown>)[other] ? undefined : t("form.password_differs");

const V4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;

export function isAddressBlock(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const v6 = address.includes(":") && /^[0-9a-f:.]+$/i.test(address);
  if (more.length || !(V4.test(address) || v6)) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (v6 ? 128 : 32));
}

export const addressBlocks = (): Rule<string> => (value, t) => {
  const wrong = value
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line && !isAddressBlock(line));
  return wrong === undefined ? undefined : t("form.address", { value: wrong });
};

export const atLeast =
  (min: number): Rule<number | undefined> =>
  (value, t) =>
    value !== undefined && Number.isFinite(value) && value >= min
      ? undefined
      : t("form.at_least", { min });

/** 0 to 4: how hard a password is to guess, roughly. */
export function passwordStrength(text: string): number {
  if (text.length < 8) return text ? 1 : 0;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(text)).length;
  const variety = new Set(text).size;
  if (variety < 5) return 1;
  return Math.min(4, 1 + Math.floor(text.length / 8) + (kinds > 2 ? 1 : 0));
}
