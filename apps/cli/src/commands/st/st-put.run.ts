import { resolve } from 'node:path'
import type { ByteSource } from '@waltz/bytes'
import { alreadyExistsFault, type ObjectStore } from '@waltz/storage'
import { objectExists } from '@waltz/storage/tools'
import type { Invocation } from '../../command.ts'
import { usageFault } from '../../usage-fault.ts'
import { localFileSource } from './local-file.ts'
import { keyOf, onEachTarget, textFlag } from './targets.ts'

/**
 * Uploads a file or standard input (CMD 8), compressed and encrypted unless told otherwise; the object is called after the destination, with the
 * extension of its codec. Resolves to 0.
 * @throws Fault `already-exists` `STORAGE_ALREADY_EXISTS` without `--force`, decided by the storage itself where it can; `invalid` `LOCAL_FILE_UNUSABLE`;
 *   faults of the storage.
 */
export async function runStPut(invocation: Invocation): Promise<number> {
  const { flags, io, log } = invocation
  const { destination, source } = inputOf(invocation)
  if (textFlag(invocation, 'target') === 'all' && flags['read-stdin'] === true)
    throw usageFault('standard input can be read once, so --target all needs a file', { command: 'st put' })
  const format = await (await invocation.openKit()).openFormat()
  const steps = { compress: flags['no-compress'] !== true, encrypt: flags['no-encrypt'] !== true }
  const key = steps.compress ? format.nameFor(destination) : destination
  return await onEachTarget(invocation, async ({ store, name }) => {
    const body = format.seal(source(), steps)
    const force = flags['force'] === true
    const guarded = !force && store.capabilities.conditionalPut
    if (!force && !guarded) {
      log.warn(
        `storage ${name} cannot refuse a name that is taken: it is asked before, and another writer of this moment may be overwritten`,
      )
      await refuseTaken(store, key, io.signal)
    }
    const info = await store.put(key, body, { signal: io.signal, ...(guarded ? { onlyIfAbsent: true } : {}) })
    log.info(`stored ${info.key} in storage ${name}: ${info.size} bytes`)
    if (invocation.json) io.stdout(`${JSON.stringify({ storage: name, key: info.key, bytes: info.size })}\n`)
  })
}

interface Input {
  readonly destination: string
  readonly source: () => ByteSource
}

function inputOf({ args, flags, io }: Invocation): Input {
  if (flags['read-stdin'] === true) {
    if (args.length !== 1) throw usageFault('with --read-stdin there is one argument: the name to store under', { command: 'st put' })
    const { stdin } = io
    if (stdin === undefined) throw usageFault('there is no standard input here')
    return { destination: keyOf(args[0] ?? ''), source: stdin }
  }
  const [local, destination] = args
  if (local === undefined || destination === undefined)
    throw usageFault('two arguments are needed: the file, and the name to store it under', {
      command: 'st put',
      hint: 'with --read-stdin the bytes come from standard input',
    })
  const source = localFileSource(resolve(io.cwd, local))
  return { destination: keyOf(destination), source: () => source }
}

/** For storages that cannot create on a condition: a look before, which another writer may outrun. */
async function refuseTaken(store: ObjectStore, key: string, signal: AbortSignal): Promise<void> {
  if ((await objectExists(store, key, { signal })) !== undefined) throw alreadyExistsFault(key, store.location)
}
