/**
 * Frees the memory behind `bytes`, which nobody may use any more. Bytes that share their memory are left alone. Results of native
 * modules should not wait for the garbage collector, which hardly sees them: they pile up to a hundred MiB and more.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0)
}

/** The same bytes as the type that the native module's declarations ask for. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
