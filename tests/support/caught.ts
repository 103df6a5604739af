// `expect().rejects` is confused by the SDKs' lazy promises; this is not.

/** What a promise fails with. */
export async function caught(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a failure");
}
