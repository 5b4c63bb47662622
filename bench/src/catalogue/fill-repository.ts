/** Puts a made-up repository where it is to be measured. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { giveToOrdinaryUser, type LargeRepository } from '@waltz/testkit'
import { sourceOf } from '@waltz/bytes'
import { openStore, type StorePlace } from './open-store.ts'

const PUTS_AT_ONCE = 48

/** Stores every object. `advance` is told how many, now and then. */
export async function fillRepository(place: StorePlace, repository: LargeRepository, advance: (stored: number) => void): Promise<void> {
  if (place.kind === 'file') return writeFiles(place.root, repository)
  await using store = await openStore(place)
  let stored = 0
  for (const keys of [repository.backupKeys(), repository.walKeys()]) {
    const left = keys[Symbol.iterator]()
    const lane = async (): Promise<void> => {
      for (let next = left.next(); next.done !== true; next = left.next()) {
        const bytes = repository.bytesOf(next.value)
        await store.put(next.value, sourceOf(bytes), { size: bytes.length })
        stored += 1
        if (stored % 1000 === 0) advance(stored)
      }
    }
    await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane))
  }
}

function writeFiles(root: string, repository: LargeRepository): void {
  let last = ''
  for (const keys of [repository.backupKeys(), repository.walKeys()]) {
    for (const key of keys) {
      const path = join(root, key)
      if (dirname(path) !== last) {
        last = dirname(path)
        mkdirSync(last, { recursive: true, mode: 0o755 })
      }
      writeFileSync(path, repository.bytesOf(key), { mode: 0o644 })
    }
  }
  giveToOrdinaryUser(root)
}
