import { Fault } from '@waltz/errors'
import type { BackupKit } from '../backup-kit.ts'
import type { KitStorage } from '../kit-storage.ts'
import { laneCount } from '../lane-count.ts'
import { sleep } from '../push.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { copyBackups } from './copy-backups.ts'
import type { CopyOptions, CopyResult } from './copy-options.ts'
import { copyInsideOf, isOneRepository } from './one-store.ts'

/** A copy between two kits: what it takes besides their settings. */
export interface CopyKitsOptions extends Omit<
  CopyOptions,
  'from' | 'to' | 'segmentBytes' | 'copyInside' | 'now' | 'sleep' | 'plaintext' | 'objectsAtOnce' | 'tool'
> {
  readonly from: BackupKit
  readonly to: BackupKit
  readonly surroundings: Pick<KitSurroundings, 'now' | 'cores' | 'tool'>
  /** Of several storages the one to copy from; the first unless given. */
  readonly fromStorage?: string | undefined
  /** Of several storages the one to copy to; the first unless given. */
  readonly toStorage?: string | undefined
}

const BYTES_PER_MIB = 1_048_576

/**
 * Copies backups and WAL from one storage of a kit to one of another: see `copyBackups`. Where both lie in one bucket and bytes stay as they
 * are, the storage copies by itself.
 * @throws Fault as `copyBackups`; `invalid` `COPY_ONE_REPOSITORY` when both are the same place, `STORAGE_UNKNOWN`, and those of settings.
 */
export async function copyBetweenKits(options: CopyKitsOptions): Promise<CopyResult> {
  const { from, to, fromStorage, toStorage, surroundings, ...wishes } = options
  const call = wishes.signal === undefined ? {} : { signal: wishes.signal }
  const source = await storageOf(from, fromStorage)
  const target = await storageOf(to, toStorage)
  if (await isOneRepository(source, target, call)) throw oneRepositoryFault(target)
  const inside = wishes.reencrypt === true || wishes.recompress === true ? undefined : copyInsideOf(source, target)
  const { pgWalSize } = source.settings
  return await copyBackups({
    ...wishes,
    from: { store: source.store, format: await from.openFormat() },
    to: { store: target.store, format: await to.openFormat() },
    plaintext: target.settings.cryptoPlaintextWrites,
    objectsAtOnce: laneCount(target.settings.uploadDiskConcurrency, surroundings.cores),
    writtenWithinMs: source.settings.unfinishedBackupAge,
    now: surroundings.now,
    sleep,
    ...(pgWalSize !== undefined && { segmentBytes: pgWalSize * BYTES_PER_MIB }),
    ...(inside !== undefined && { copyInside: inside }),
    ...(surroundings.tool !== undefined && { tool: surroundings.tool }),
  })
}

async function storageOf(kit: BackupKit, name: string | undefined): Promise<KitStorage> {
  const storages = await kit.storages(name === undefined ? {} : { names: [name] })
  return storages[0] as KitStorage
}

function oneRepositoryFault({ location }: KitStorage): Fault {
  return new Fault('invalid', 'COPY_ONE_REPOSITORY', `source and target are the same repository, ${location}`, {
    hint: 'give the target another prefix or another storage; waltz crypt rotate changes the key of a repository where it is',
    context: { location },
  })
}
