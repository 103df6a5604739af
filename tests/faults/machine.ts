import type { Line } from "./stage";
export async function machineFaults(_: Line[]): Promise<void> {}
