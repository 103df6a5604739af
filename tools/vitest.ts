// Runs the console's own tests (web/tests) and ends with "N passed, N failed" for run_tests.ts.
import { join } from "node:path";

const web = join(import.meta.dir, "../web");
// Under Bun, whatever Node there is: Debian 12's is too old.
const child = Bun.spawn([process.execPath, "--bun", "node_modules/vitest/vitest.mjs", "run"], {
  cwd: web,
  env: { ...process.env, NO_COLOR: "1" },
  stdout: "pipe",
  stderr: "inherit",
});
const output = await new Response(child.stdout).text();
const status = await child.exited;
console.log(output.trimEnd());
const last = /^ *Tests +(?:(\d+) failed)?(?: \| )?(?:(\d+) passed)?/m.exec(output);
const failed = Number(last?.[1] ?? 0) || (status === 0 ? 0 : 1);
console.log(`${Number(last?.[2] ?? 0)} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
