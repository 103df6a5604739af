// What a browser remembers for its user; a browser that remembers nothing works too.

export function recall<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`tf.${key}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`tf.${key}`, JSON.stringify(value));
  } catch {
    // full or forbidden
  }
}
