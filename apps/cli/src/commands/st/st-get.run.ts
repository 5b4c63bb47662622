import { statSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { giveBack, type ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { Invocation } from '../../command.ts'
import { keyOf, oneStorage, textFlag } from './targets.ts'

/**
 * Downloads one object into a new file (CMD 8): mode 0640, synced, removed again when the download fails. Resolves to 0.
 * @throws Fault `already-exists` `LOCAL_FILE_EXISTS`; faults of the storage and the codec.
 */
export async function runStGet(invocation: Invocation): Promise<number> {
  const { args, flags, io, log } = invocation
  const key = keyOf(args[0] ?? '')
  const storage = await oneStorage(invocation, 'target', textFlag(invocation, 'target') ?? 'default')
  const path = destinationOf(resolve(io.cwd, args[1] ?? ''), key)
  await using body = await storage.store.get(key, { signal: io.signal })
  const plain = flags['no-decompress'] === true ? body : await (await (await invocation.openKit()).openFormat()).open(key, body)
  const bytes = await writeNewFile(path, plain)
  log.info(`${key} is in ${path}: ${bytes} bytes`)
  if (invocation.json) io.stdout(`${JSON.stringify({ key, path, bytes })}\n`)
  return 0
}

/** In a folder the file is called like the object. */
function destinationOf(path: string, key: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, basename(key)) : path
}

async function writeNewFile(path: string, source: ByteSource): Promise<number> {
  const handle = await open(path, 'wx', 0o640).catch((error: unknown) => Promise.reject(fileFault(path, error)))
  let bytes = 0
  try {
    for await (const chunk of source) {
      for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten
      bytes += chunk.length
      giveBack(chunk)
    }
    await handle.sync()
  } catch (error) {
    await handle.close()
    await unlink(path).catch(() => undefined)
    throw error
  }
  await handle.close()
  return bytes
}

function fileFault(path: string, cause: unknown): Fault {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  if (code === 'EEXIST') {
    return new Fault('already-exists', 'LOCAL_FILE_EXISTS', `${path} is there already; nothing was downloaded`, {
      hint: 'name another file, or move that one away',
      context: { path },
      cause,
    })
  }
  return new Fault('invalid', 'LOCAL_FILE_UNUSABLE', `${path} cannot be written or read: ${code}`, {
    hint: 'name a path that this user may use',
    context: { path },
    cause,
  })
}
