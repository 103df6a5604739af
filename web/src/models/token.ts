// A key's states: on and off are set, expired and exhausted follow.
export const TOKEN_STATUS = { on: 1, off: 2, expired: 3, exhausted: 4 } as const;
export const NEVER = -1;
