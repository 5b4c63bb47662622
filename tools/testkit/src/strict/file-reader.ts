import { open } from 'node:fs/promises'

/** Reads a file from its start in pieces of exact size. */
export interface FileReader extends AsyncDisposable {
  /** @throws Error when the file ends before. */
  read(bytes: number): Promise<Buffer>
  skip(bytes: number): void
  remaining(): number
}

/** Opens a file for exact reads. */
export async function openFileReader(path: string): Promise<FileReader> {
  const file = await open(path, 'r')
  const { size } = await file.stat()
  let position = 0
  return {
    read: async (bytes) => {
      if (position + bytes > size) throw new Error('ends in the middle')
      const buffer = Buffer.allocUnsafe(bytes)
      let filled = 0
      while (filled < bytes) {
        const { bytesRead } = await file.read(buffer, filled, bytes - filled, position + filled)
        if (bytesRead === 0) throw new Error('ends in the middle')
        filled += bytesRead
      }
      position += bytes
      return buffer
    },
    skip: (bytes) => {
      position += bytes
    },
    remaining: () => size - position,
    [Symbol.asyncDispose]: () => file.close(),
  }
}
