import type { CommandDefinition } from '../command.ts'
import { storageSettings as settings, targetFlag as target } from './storage-flags.ts'

const storageProbe: CommandDefinition = {
  name: 'storage probe',
  summary: 'Find out by trying what the storage can do, how fast it is, and which settings fit',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description:
    'Runs some forty checks below a folder of its own: whether what is stored is there at once and comes back unchanged, whether two writers can be kept apart, whether broken uploads leave anything, versions, rights, clocks, time per request, throughput by the number of transfers. It leaves nothing behind. The exit code is 23 when backups would not be safe here.',
  examples: [
    { command: 'waltz storage probe', explains: 'before the first backup' },
    { command: 'waltz storage probe --size 256mb --json', explains: 'with larger objects, for programs' },
  ],
  flags: [
    { name: 'size', type: 'string', valueName: 'SIZE', summary: 'Size of the large objects; default: 32mb' },
    { name: 'concurrency', type: 'string', valueName: 'LIST', summary: 'Numbers of transfers at once to try; default: 1,2,4,8' },
    target,
  ],
  settings,
  load: async () => (await import('./storage/storage-probe.run.ts')).runStorageProbe,
}

const storageOrphans: CommandDefinition = {
  name: 'storage orphans',
  summary: 'List, and remove, what killed uploads left in the storage',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description:
    'Parts of uploads that never finished are in no listing and cost space. They are listed with their age; with --confirm those older than --older-than are removed. Uploads that run now are younger than that.',
  examples: [
    { command: 'waltz storage orphans', explains: 'only look' },
    { command: 'waltz storage orphans --older-than 48h --confirm', explains: 'remove what is older than two days' },
  ],
  flags: [
    { name: 'older-than', type: 'string', valueName: 'TIME', summary: 'Least age of what --confirm removes; default: 24h' },
    { name: 'confirm', type: 'boolean', summary: 'Remove them; without it they are only listed' },
    target,
  ],
  settings,
  load: async () => (await import('./storage/storage-orphans.run.ts')).runStorageOrphans,
}

/** `storage`: help and flags; the work is in storage/*.run.ts. */
export const storageCommands: readonly CommandDefinition[] = [storageProbe, storageOrphans]
