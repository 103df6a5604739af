// Waiting for a condition instead of for a while.

const PATIENCE_MS = 20_000;

/** Repeats `attempt` until it does not throw; its last failure is the test's failure. */
export async function eventually<T>(attempt: () => Promise<T>, patience = PATIENCE_MS): Promise<T> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await Bun.sleep(25);
  }
}

/** Waits until `holds` says yes. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(async () => {
    if (!(await holds())) throw new Error(`it never happened: ${what}`);
  });
}
