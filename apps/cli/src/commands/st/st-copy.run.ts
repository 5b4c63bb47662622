import { parseSettings, settingsTable } from '@waltz/settings'
import type { BackupKit } from '@waltz/backup-kit'
import type { SealedFormat } from '@waltz/repository'
import { copyObject, type CopyObjectOptions } from '@waltz/storage/tools'
import { readConfigFile } from '../../config-file.ts'
import type { Invocation } from '../../command.ts'
import { openKitFor } from '../../open-kit.ts'
import { usageFault } from '../../usage-fault.ts'
import { textFlag } from './targets.ts'

/** Objects copied at once (CMD 8). */
const AT_ONCE = 8

/**
 * Copies objects between the storages of two config files, replacing what is there (CMD 8): names unchanged, bytes too unless they are
 * to be decrypted with the key of this configuration, encrypted with that of the target, or both. A side that is not given is the storage
 * of this command's own configuration. Resolves to 0.
 * @throws Fault of either storage or key; the first one stops the copy. Running it again copies everything again. `invalid`
 *   `USAGE` where a key is asked for that is not configured, or both sides are one storage.
 */
export async function runStCopy(invocation: Invocation): Promise<number> {
  const { io, log } = invocation
  await using source = await sideOf(invocation, textFlag(invocation, 'from'))
  await using target = await sideOf(invocation, textFlag(invocation, 'to'))
  refuseOneStorage(source, target)
  const prefix = textFlag(invocation, 'prefix') ?? ''
  const resealed = await resealing(invocation, target)
  const call = { signal: io.signal }
  let objects = 0
  let bytes = 0
  const keys = source.kit.store.list(prefix, call)[Symbol.asyncIterator]()
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    for (let next = await keys.next(); next.done !== true && failures.length === 0; next = await keys.next()) {
      const { key } = next.value
      const stored = await copyObject({ store: source.kit.store, key }, { store: target.kit.store, key }, { ...call, ...resealed(key) })
      objects += 1
      bytes += stored.size
    }
  }
  try {
    // Nothing is left in the middle of an object: the first failure is thrown when all lanes have ended.
    await Promise.all(Array.from({ length: AT_ONCE }, () => lane().catch((error: unknown) => void failures.push(error))))
    if (failures.length > 0) throw failures[0]
  } finally {
    await keys.return?.()
  }
  log.info(`copied ${objects} objects, ${bytes} bytes, from ${source.kit.store.location} to ${target.kit.store.location}`)
  if (invocation.json) io.stdout(`${JSON.stringify({ objects, bytes })}\n`)
  return 0
}

/** What becomes of the bytes of an object on the way. */
async function resealing(invocation: Invocation, target: Side): Promise<(key: string) => Pick<CopyObjectOptions, 'transform'>> {
  const opening = invocation.flags['decrypt-source'] === true ? await withKey(await invocation.openKit(), '--decrypt-source') : undefined
  const sealing = invocation.flags['encrypt-source'] === true ? await withKey(target.kit, '--encrypt-source') : undefined
  if (opening === undefined && sealing === undefined) return () => ({})
  return (key) => {
    if (key.endsWith('.json')) return {}
    return {
      transform: async (body) => {
        const opened = opening === undefined ? body : await opening.open(key, body, { decompress: false })
        return sealing === undefined ? opened : sealing.seal(opened, { compress: false })
      },
    }
  }
}

async function withKey(kit: BackupKit, flag: string): Promise<SealedFormat> {
  const format = await kit.openFormat()
  if (format.encryption !== undefined) return format
  throw usageFault(`${flag} needs a key, and none is configured`, {
    command: 'st copy',
    hint: 'the key to decrypt with belongs to this configuration, the one to encrypt with into the config file of --to',
  })
}

/** Decrypting in place would leave the repository open, and rewriting it otherwise is of no use. */
function refuseOneStorage(source: Side, target: Side): void {
  if (source.kit.store.location !== target.kit.store.location) return
  throw usageFault(`both sides are the same storage, ${source.kit.store.location}`, {
    command: 'st copy',
    hint: 'name the other one with --from or --to',
  })
}

interface Side extends AsyncDisposable {
  readonly kit: BackupKit
}

/** A config file counts alone: the environment describes this command's own storage, which must not leak into the other side. */
async function sideOf(invocation: Invocation, path: string | undefined): Promise<Side> {
  if (path === undefined || path === '') return { kit: await invocation.openKit(), [Symbol.asyncDispose]: async () => undefined }
  const file = await readConfigFile(path, invocation.io)
  const { settings, warnings } = parseSettings(settingsTable, { flags: {}, environment: {}, file })
  for (const warning of warnings) invocation.log.warn(warning.message)
  const kit = await openKitFor(settings, invocation.io, undefined)
  return { kit, [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose]() }
}
