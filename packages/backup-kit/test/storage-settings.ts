import { kitSettings, type KitSurroundings } from '../src/index.ts'
import type { StorageOpening } from '../src/network-settings.ts'
import { parseStorageAddress, type StorageAddress } from '../src/storage-address.ts'
import { createStorageContext, type StorageEvent } from '../src/storage-context.ts'

/** Surroundings of a kit in a test. */
export const surroundings = (more: Partial<KitSurroundings> = {}): KitSurroundings => ({
  now: () => new Date(),
  hostname: 'host',
  user: 'somebody',
  home: undefined,
  processId: 1,
  cores: 2,
  temporaryFolder: '/tmp',
  ...more,
})

/** What a storage is opened with, and what it told. */
export function opening(
  values: Record<string, string>,
  more: Partial<KitSurroundings> = {},
): { readonly opening: StorageOpening; readonly events: StorageEvent[] } {
  const events: StorageEvent[] = []
  const settings = kitSettings(values)
  const context = createStorageContext(settings, surroundings(more), (event) => events.push(event))
  return { opening: { settings, context, name: 'default' }, events }
}

export const addressOf = (prefix: string): StorageAddress => parseStorageAddress('WALG_S3_PREFIX', prefix)
