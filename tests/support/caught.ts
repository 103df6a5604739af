/** What a promise fails with. The SDKs' lazy promises confuse `expect().rejects`; this does not. */
export async function caught(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a failure");
}
