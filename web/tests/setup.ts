// What jsdom lacks and Semi needs at import.
import { afterEach, vi } from "vitest";
import { cleanup } from "@testing-library/react";

const nothing = () => {};
const canvas = new Proxy(
  {},
  { get: (_, name) => (name === "measureText" ? () => ({ width: 0 }) : nothing), set: () => true },
);
HTMLCanvasElement.prototype.getContext = (() => canvas) as never;
globalThis.ResizeObserver = class {
  observe = nothing;
  unobserve = nothing;
  disconnect = nothing;
};
globalThis.matchMedia = ((media: string) => ({
  media,
  matches: false,
  addEventListener: nothing,
  removeEventListener: nothing,
  addListener: nothing,
  removeListener: nothing,
})) as never;

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});
