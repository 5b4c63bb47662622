import { Fault } from '@waltz/errors'
import { chooseStorage, type Settings, type StorageChoice, type StorageKind } from '@waltz/settings'
import type { MaintainedStore } from '@waltz/storage'
import type { StorageOpening } from './network-settings.ts'
import { openFile } from './open-file.ts'
import { parseStorageAddress, prefixFault, tidyPath } from './storage-address.ts'

/** A storage as its settings name it: before views, retries and limits. */
export interface Backend {
  /** What it is called: `default`, or the name of a further storage. */
  readonly name: string
  readonly kind: StorageKind
  readonly store: MaintainedStore
  /** Where the repository begins in it, WALG_STORAGE_PREFIX included: `''` or without slashes at both ends. */
  readonly prefix: string
  /** Names of prefix settings that are set and not used. */
  readonly ignored: readonly string[]
}

interface Opened {
  readonly store: MaintainedStore
  readonly path: string
}

const OPENERS: Readonly<Record<StorageKind, (opening: StorageOpening, choice: StorageChoice) => Promise<Opened>>> = {
  oss: async (opening, choice) => {
    const address = parseStorageAddress(choice.setting, choice.prefix)
    return { store: await (await import('./open-oss.ts')).openOss(opening, address), path: tidyPath(address.path) }
  },
  s3: async (opening, choice) => {
    const address = parseStorageAddress(choice.setting, choice.prefix)
    return { store: await (await import('./open-s3.ts')).openS3(opening, address), path: tidyPath(address.path) }
  },
  file: async (opening, choice) => ({ store: await openFile(opening, choice.prefix), path: '' }),
  gs: async (opening, choice) => {
    const address = parseStorageAddress(choice.setting, choice.prefix)
    const path = gcsPath(opening.settings, choice, address.path)
    return { store: await (await import('./open-gcs.ts')).openGcs(opening, address), path }
  },
  az: async (opening, choice) => {
    const address = parseStorageAddress(choice.setting, choice.prefix)
    return { store: await (await import('./open-azure.ts')).openAzure(opening, address), path: wholePath(choice, address.path) }
  },
  swift: async (opening, choice) => {
    const address = parseStorageAddress(choice.setting, choice.prefix)
    return { store: await (await import('./open-swift.ts')).openSwift(opening, address), path: wholePath(choice, address.path) }
  },
  ssh: async (opening, choice) => {
    const address = parseStorageAddress(choice.setting, choice.prefix)
    return { store: await (await import('./open-ssh.ts')).openSsh(opening, address), path: '' }
  },
}

/**
 * Opens the storage that the settings name: the first of WAL-G's order (SET 4). Loads the code of that storage and of no other. Makes no
 * request: a storage that is not there is found out by the first call.
 * @throws Fault `invalid` `STORAGE_NOT_CONFIGURED` when none is named; `STORAGE_PREFIX_INVALID`, `STORAGE_SETTING_INVALID`,
 * `STORAGE_FILE_UNUSABLE` or `STORAGE_OPTIONS_INVALID` for settings that cannot be used.
 */
export async function openBackend(opening: StorageOpening): Promise<Backend> {
  const choice = chooseStorage(opening.settings)
  if (choice === undefined) throw noStorageFault()
  const { store, path } = await OPENERS[choice.kind](opening, choice)
  const below = tidyPath(opening.settings.storagePrefix ?? '')
  const prefix = [path, below].filter(Boolean).join('/')
  return { name: opening.name, kind: choice.kind, store, prefix, ignored: choice.ignored }
}

/** Keys have single slashes here, so a prefix that must keep others cannot be served: said, not done half. */
function gcsPath({ gcsNormalizePrefix }: Settings, choice: StorageChoice, path: string): string {
  return gcsNormalizePrefix
    ? tidyPath(path)
    : wholePath(choice, path, ', which GCS_NORMALIZE_PREFIX=false would keep and no key of Waltz has')
}

/** The path itself, where clients do not tidy it. @throws Fault `invalid` `STORAGE_PREFIX_INVALID` for double slashes. */
function wholePath({ setting }: StorageChoice, path: string, why = ', which no key of Waltz has'): string {
  if (tidyPath(path) !== path) throw prefixFault(setting, `has empty parts${why}`)
  return path
}

function noStorageFault(): Fault {
  return new Fault('invalid', 'STORAGE_NOT_CONFIGURED', 'no storage is configured', {
    hint: 'set WALG_FILE_PREFIX to the absolute path of a folder, or WALG_S3_PREFIX, WALG_GS_PREFIX, WALG_AZ_PREFIX, WALG_SWIFT_PREFIX, WALG_SSH_PREFIX or WALG_OSS_PREFIX',
  })
}
