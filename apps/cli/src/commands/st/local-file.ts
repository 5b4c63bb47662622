import { createReadStream, statSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { fromNodeStream, giveBack, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'

/**
 * The bytes of a file, opened when they are first asked for.
 * @throws Fault `invalid` `LOCAL_FILE_UNUSABLE` at once for what is no readable file, and from the iteration when reading fails.
 */
export function localFileSource(path: string): ByteSource {
  let isFolder: boolean
  try {
    isFolder = statSync(path).isDirectory()
  } catch (error) {
    throw unusableFault(path, error)
  }
  if (isFolder) throw unusableFault(path, undefined, 'it is a folder, and objects are files')
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* fromNodeStream(() => createReadStream(path))
      } catch (error) {
        throw unusableFault(path, error)
      }
    },
  }
}

/**
 * Writes a file that must not be there yet, mode 0640, synced; a failure removes it again. Resolves to its size in bytes.
 * @throws Fault `already-exists` `LOCAL_FILE_EXISTS`; `invalid` `LOCAL_FILE_UNUSABLE`; what the source throws, unchanged.
 */
export async function writeNewFile(path: string, source: ByteSource, onLeftover: (path: string) => void): Promise<number> {
  const handle = await open(path, 'wx', 0o640).catch((error: unknown) => Promise.reject(unusableFault(path, error)))
  const local = async <Value>(work: Promise<Value>): Promise<Value> =>
    await work.catch((error: unknown) => Promise.reject(unusableFault(path, error)))
  let bytes = 0
  try {
    for await (const chunk of source) {
      for (let done = 0; done < chunk.length;) done += (await local(handle.write(chunk, done, chunk.length - done))).bytesWritten
      bytes += chunk.length
      giveBack(chunk)
    }
    await local(handle.sync())
    await local(handle.close())
  } catch (error) {
    // The failure that led here is the one to report; the file that it leaves is told where it cannot be removed.
    await handle.close().catch(() => undefined)
    await unlink(path).catch(() => onLeftover(path))
    throw error
  }
  return bytes
}

function unusableFault(path: string, cause: unknown, why?: string): Fault {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  const options = { context: { path }, cause }
  if (code === 'EEXIST') {
    return new Fault('already-exists', 'LOCAL_FILE_EXISTS', `${path} is there already; nothing was downloaded`, {
      ...options,
      hint: 'name another file, or move that one away',
    })
  }
  return new Fault('invalid', 'LOCAL_FILE_UNUSABLE', `${path} cannot be read or written: ${why ?? code ?? 'unknown'}`, {
    ...options,
    hint: 'name a path that this user may use, with room for the file',
  })
}
