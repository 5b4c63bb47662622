import { statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Invocation } from '../../command.ts'
import { writeNewFile } from './local-file.ts'
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
  const steps = { decrypt: flags['no-decrypt'] !== true, decompress: flags['no-decompress'] !== true }
  const format = steps.decrypt || steps.decompress ? await (await invocation.openKit()).openFormat() : undefined
  const plain = format === undefined ? body : await format.open(key, body, steps)
  const bytes = await writeNewFile(path, plain, (left) => log.warn(`${left} is incomplete and could not be removed again`))
  log.info(`${key} is in ${path}: ${bytes} bytes`)
  if (invocation.json) io.stdout(`${JSON.stringify({ key, path, bytes })}\n`)
  return 0
}

/** In a folder the file is called like the object. */
function destinationOf(path: string, key: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, basename(key)) : path
}
