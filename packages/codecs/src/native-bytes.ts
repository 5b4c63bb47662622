/**
 * Copies a result of a native module into memory of its own and gives the native memory back at once. Left to the
 * garbage collector, which hardly sees native memory, results pile up to a hundred MiB and more; copying costs a few
 * per cent of the codec's time and is won back by the memory staying warm.
 */
export function adoptNative(result: Uint8Array): Uint8Array {
  const own = new Uint8Array(result)
  freeBytes(result)
  return own
}

/** Frees the memory behind `bytes`, which nobody may use any more. Bytes that share their memory are left alone. */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0)
}

/** The same bytes as the type that the native module's declarations ask for. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
