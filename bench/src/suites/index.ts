/** The table of suites, in the order in which they run. One more is one more row. */
import type { Suite } from '../model.ts'
import { backupSuite, restoreSuite } from './backup.ts'
import { codecsSuite } from './codecs.ts'
import { catalogueSuite } from './catalogue.ts'
import { memorySuite } from './memory.ts'
import { relationsSuite } from './relations.ts'
import { startupSuite } from './startup.ts'
import { storageSuite } from './storage.ts'
import { walSuite } from './wal.ts'

export const suites: readonly Suite[] = [
  backupSuite,
  restoreSuite,
  relationsSuite,
  walSuite,
  startupSuite,
  storageSuite,
  codecsSuite,
  catalogueSuite,
  memorySuite,
]
