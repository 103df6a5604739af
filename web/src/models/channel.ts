// A channel's states, and what its keys' states say.
export const CHANNEL_STATUS = { on: 1, off: 2, auto: 3 } as const;

export interface KeyState {
  status: number;
  reason?: string;
  time?: number;
}

/** The keys that were taken out of service; those that are not there are fine. */
export function keysOff(text: string): KeyState[] {
  try {
    const states = JSON.parse(text || "{}") as Record<string, KeyState>;
    return Object.values(states).filter((one) => one.status !== CHANNEL_STATUS.on);
  } catch {
    return [];
  }
}

export const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
