import type { CommandDefinition, FlagDefinition } from '../command.ts'
import { storageSettings as settings, targetFlag as target } from './storage-flags.ts'

const glob: FlagDefinition = {
  name: 'glob',
  short: 'g',
  type: 'boolean',
  summary: 'PATH is a pattern: * ? [a-z], each for one level of folders',
}
const allVersions: FlagDefinition = {
  name: 'all-versions',
  type: 'boolean',
  summary: 'Old versions and delete markers, too, in a storage that keeps them',
}
const stLs: CommandDefinition = {
  name: 'st ls',
  summary: 'List a folder of the storage',
  positionals: '[PATH]',
  minArguments: 0,
  maxArguments: 1,
  description:
    'Prints folders, then objects, with size and time of modification. With --glob the pattern names folders, each of which is listed.',
  examples: [
    { command: 'waltz st ls wal_005', explains: 'what lies in the archive' },
    { command: 'waltz st ls -r basebackups_005', explains: 'everything below, without folders' },
    { command: "waltz st ls --glob 'basebackups_005/base_*'", explains: 'the folder of each backup' },
  ],
  flags: [
    { name: 'recursive', short: 'r', type: 'boolean', summary: 'All objects below, whatever folder they are in' },
    allVersions,
    glob,
    target,
  ],
  settings,
  load: async () => (await import('./st/st-ls.run.ts')).runStLs,
}

const stStat: CommandDefinition = {
  name: 'st stat',
  summary: 'Show size and time of one object',
  positionals: 'PATH',
  minArguments: 1,
  maxArguments: 1,
  description: 'Asks the storage for one object, without listing anything. An object that is not there is an error (exit code 74).',
  examples: [{ command: 'waltz st stat wal_005/000000010000000000000001.lz4', explains: 'is this segment stored, and how large is it?' }],
  flags: [target],
  settings,
  load: async () => (await import('./st/st-stat.run.ts')).runStStat,
}

const stCat: CommandDefinition = {
  name: 'st cat',
  summary: 'Write an object to standard output',
  positionals: 'PATH',
  minArguments: 1,
  maxArguments: 1,
  description:
    'Bytes come as they are stored; --decrypt and --decompress open them. With OpenPGP, bytes are printed before the check at the end of the object: a failure means that what was printed is not to be trusted.',
  examples: [
    { command: 'waltz st cat basebackups_005/base_0000000100000000000000AB_backup_stop_sentinel.json', explains: "a backup's sentinel" },
  ],
  flags: [
    {
      name: 'decompress',
      type: 'boolean',
      summary: 'Decompress by the extension of the name; one without a known extension stays as it is',
    },
    { name: 'decrypt', type: 'boolean', summary: 'Decrypt with the configured key' },
    glob,
    target,
  ],
  settings,
  load: async () => (await import('./st/st-cat.run.ts')).runStCat,
}

const stGet: CommandDefinition = {
  name: 'st get',
  summary: 'Download an object into a file',
  positionals: 'PATH DESTINATION',
  minArguments: 2,
  maxArguments: 2,
  description:
    'The file must not be there yet; in a folder it gets the name of the object. The bytes are decrypted with the configured key, if there is one, and decompressed by the extension of the name. Documents in JSON are never encrypted: get them with --no-decrypt.',
  examples: [
    { command: 'waltz st get wal_005/000000010000000000000001.lz4 /tmp/000000010000000000000001', explains: 'one segment, decompressed' },
  ],
  flags: [
    { name: 'no-decompress', type: 'boolean', summary: 'Leave the bytes compressed' },
    { name: 'no-decrypt', type: 'boolean', summary: 'Leave the bytes encrypted' },
    { ...target, summary: 'Storage to read from; "all" is not possible here' },
  ],
  settings,
  load: async () => (await import('./st/st-get.run.ts')).runStGet,
}

const stPut: CommandDefinition = {
  name: 'st put',
  summary: 'Upload a file',
  positionals: '[LOCAL_FILE] DESTINATION',
  minArguments: 1,
  maxArguments: 2,
  description:
    'The bytes are compressed with the configured codec and encrypted with the configured key, if there is one, and the object is called DESTINATION with its extension. What is there already is not replaced without --force.',
  examples: [
    { command: 'waltz st put notes.txt notes/2026.txt', explains: 'stored as notes/2026.txt.lz4' },
    { command: 'pg_dumpall | waltz st put --read-stdin dumps/all.sql', explains: 'from another program' },
  ],
  flags: [
    { name: 'read-stdin', short: 's', type: 'boolean', summary: 'Store what comes from standard input; LOCAL_FILE is left out' },
    { name: 'no-compress', type: 'boolean', summary: 'Do not compress, and store under exactly this name' },
    { name: 'no-encrypt', type: 'boolean', summary: 'Store the bytes unencrypted though a key is configured' },
    { name: 'force', short: 'f', type: 'boolean', summary: 'Replace an object of this name' },
    target,
  ],
  settings: [...settings, 'WALG_COMPRESSION_METHOD'],
  load: async () => (await import('./st/st-put.run.ts')).runStPut,
}

const stRm: CommandDefinition = {
  name: 'st rm',
  summary: 'Remove an object, or everything below a folder',
  positionals: 'PATH',
  minArguments: 1,
  maxArguments: 1,
  description:
    'An object of exactly this name is removed alone; otherwise everything below the folder of this name. A slash at the end means the folder. Nothing asks back, and nothing protects backups here: waltz st ls -r PATH shows what it would be.',
  examples: [{ command: 'waltz st rm wal_005/000000010000000000000001.lz4', explains: 'one object' }],
  flags: [
    { ...allVersions, summary: 'Remove all versions for good, where the storage keeps them' },
    { name: 'version-id', type: 'string', valueName: 'ID', summary: 'Remove this version of one object for good' },
    glob,
    target,
  ],
  settings,
  load: async () => (await import('./st/st-rm.run.ts')).runStRm,
}

const stCheckRead: CommandDefinition = {
  name: 'st check read',
  summary: 'Check that the storage can be read, and that objects are there',
  positionals: '[PATH ...]',
  minArguments: 0,
  maxArguments: 10_000,
  description: 'Lists the root, then asks for each PATH. All that are missing are named.',
  examples: [{ command: 'waltz st check read', explains: 'for a monitor: exit code 0 means that the storage answers' }],
  flags: [target],
  settings,
  load: async () => (await import('./st/st-check.run.ts')).runStCheckRead,
}

const stCheckWrite: CommandDefinition = {
  name: 'st check write',
  summary: 'Check that the storage can be written',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description: 'Stores a small object under a random name and deletes it again. waltz storage probe asks much more.',
  examples: [{ command: 'waltz st check write --target all', explains: 'every configured storage' }],
  flags: [target],
  settings,
  load: async () => (await import('./st/st-check.run.ts')).runStCheckWrite,
}

const stCopy: CommandDefinition = {
  name: 'st copy',
  summary: 'Copy objects between the storages of two config files',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description:
    'Copies every object (or those whose names begin with --prefix), names and, unless told otherwise, bytes unchanged, and replaces what is there. Documents in JSON are never encrypted and always copied as they are. A side without a config file is the storage of this configuration.',
  examples: [{ command: 'waltz st copy --from old.yaml --to new.yaml', explains: 'a repository moves to another storage' }],
  flags: [
    { name: 'from', type: 'string', valueName: 'FILE', summary: 'Config file of the storage to copy from' },
    { name: 'to', type: 'string', valueName: 'FILE', summary: 'Config file of the storage to copy to' },
    { name: 'prefix', short: 'p', type: 'string', valueName: 'TEXT', summary: 'Only objects whose names begin with this' },
    { name: 'decrypt-source', short: 'd', type: 'boolean', summary: 'Decrypt on the way, with the key of this configuration' },
    { name: 'encrypt-source', short: 'e', type: 'boolean', summary: 'Encrypt on the way, with the key of the --to config file' },
  ],
  settings,
  load: async () => (await import('./st/st-copy.run.ts')).runStCopy,
}

const transferFlags: readonly FlagDefinition[] = [
  {
    name: 'source',
    short: 's',
    type: 'string',
    valueName: 'NAME',
    summary: 'Storage to take from: "default" or the name of a failover storage',
  },
  { ...target, summary: 'Storage to bring to; default: default' },
  { name: 'overwrite', short: 'o', type: 'boolean', summary: 'Also what the target has already' },
  { name: 'preserve', short: 'p', type: 'boolean', summary: 'Copy: delete nothing from the source' },
  { name: 'fail-fast', type: 'boolean', summary: 'Stop at the first object that cannot be moved' },
  { name: 'concurrency', short: 'c', type: 'string', valueName: 'COUNT', summary: 'Objects at once; default: 10' },
  { name: 'max-files', short: 'm', type: 'string', valueName: 'COUNT', summary: 'At most so many objects; no backup and no chain is cut' },
  {
    name: 'appearance-checks',
    type: 'string',
    valueName: 'COUNT',
    summary: 'How often the target is asked for an object before its original is deleted; default: 3',
  },
  { name: 'appearance-checks-interval', type: 'string', valueName: 'TIME', summary: 'Time between these checks; default: 1s' },
]

const stTransferBackups: CommandDefinition = {
  name: 'st transfer backups',
  summary: 'Move backups from one storage to another',
  positionals: '[NAME]',
  minArguments: 0,
  maxArguments: 1,
  description:
    'Moves finished backups: all objects of a backup first, its sentinel last; in the source the sentinel is deleted first. At every moment each backup is whole in at least one of the two. Increments move together with the backups that they need, because a chain is of use only in one storage. The oldest come first, so that LATEST stays LATEST. What the target has already is compared before it is deleted from the source.',
  examples: [
    {
      command: 'waltz st transfer backups --source spare --target default',
      explains: 'back home, after the primary storage is well again',
    },
  ],
  flags: [
    ...transferFlags,
    { name: 'max-backups', type: 'string', valueName: 'COUNT', summary: 'At most so many backups; no chain is cut' },
  ],
  settings,
  load: async () => (await import('./st/st-transfer.run.ts')).runTransferBackups,
}

const stTransferFiles: CommandDefinition = {
  name: 'st transfer files',
  summary: 'Move everything below a prefix from one storage to another',
  positionals: 'PREFIX',
  minArguments: 1,
  maxArguments: 1,
  description: 'Moves objects one by one, bytes unchanged. For backups there is waltz st transfer backups, which keeps each of them whole.',
  examples: [{ command: 'waltz st transfer files notes/ --source spare', explains: 'one folder' }],
  flags: transferFlags,
  settings,
  load: async () => (await import('./st/st-transfer.run.ts')).runTransferFiles,
}

const stTransferWals: CommandDefinition = {
  name: 'st transfer pg-wals',
  summary: 'Move archived WAL from one storage to another',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description: 'Moves what lies in wal_005/ and is missing in the target.',
  examples: [{ command: 'waltz st transfer pg-wals --source spare', explains: 'WAL that was archived while the primary storage was away' }],
  flags: transferFlags,
  settings,
  load: async () => (await import('./st/st-transfer.run.ts')).runTransferWals,
}

/** `st`: their help and flags; the work is in st/*.run.ts. */
export const storageToolCommands: readonly CommandDefinition[] = [
  stLs,
  stStat,
  stCat,
  stGet,
  stPut,
  stRm,
  stCheckRead,
  stCheckWrite,
  stCopy,
  stTransferBackups,
  stTransferFiles,
  stTransferWals,
]
