import type { CommandDefinition } from '../command.ts'

/** `copy`: help and flags; the work is in copy.run.ts. */
export const copy: CommandDefinition = {
  name: 'copy',
  summary: 'Copy backups and their WAL to another repository',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description:
    'Two config files say where from and where to; of the environment only settings of storages count that such a file leaves out, and never a prefix. Without --backup-name every finished backup is copied, otherwise that one with the backups it is an increment of, in each case with the WAL that makes it consistent. What is running or unfinished stays, and is named. Names and bytes stay as they are unless --reencrypt or --recompress is given. WAL comes first, each backup is announced when it is whole, the oldest first, so that LATEST stays LATEST. What is there with the same content is not sent again: a copy that was interrupted goes on when it is started again. What is there with other content is a conflict, and is never replaced; where only the permanent mark differs, that of the target stays, and it is said.',
  examples: [
    { command: 'waltz copy --from old.yaml --to new.yaml --with-history', explains: 'a whole repository moves, with all WAL' },
    { command: 'waltz copy --from here.yaml --to vault.yaml --backup-name LATEST', explains: 'one backup into a second place' },
    {
      command: 'waltz copy --from plain.yaml --to encrypted.yaml --reencrypt --recompress',
      explains: 'with the key and the codec of the target',
    },
  ],
  flags: [
    { name: 'from', short: 'f', type: 'string', valueName: 'FILE', summary: 'Config file of the repository to copy from' },
    { name: 'to', short: 't', type: 'string', valueName: 'FILE', summary: 'Config file of the repository to copy to' },
    { name: 'backup-name', short: 'b', type: 'string', valueName: 'NAME', summary: 'Only this backup, or LATEST; all of them otherwise' },
    {
      name: 'with-history',
      short: 'w',
      type: 'boolean',
      summary: 'All WAL since the oldest of the backups, not only what each of them needs',
    },
    { name: 'reencrypt', type: 'boolean', summary: 'Encrypt with the key of the target, which needs that of the source' },
    { name: 'recompress', type: 'boolean', summary: 'Compress with the codec of the target' },
    { name: 'dry-run', type: 'boolean', summary: 'Say what would be copied; store nothing' },
    { name: 'by-size', type: 'boolean', summary: 'Equal sizes are enough: read nothing only to compare it, as WAL-G does' },
    { name: 'recheck', type: 'boolean', summary: 'Compare the bytes of backups, too, that are announced there already' },
    { name: 'allow-missing-wal', type: 'boolean', summary: 'Copy what there is though WAL that belongs to it is missing' },
    { name: 'allow-other-cluster', type: 'boolean', summary: 'Copy although the target, or a part of the source, is of another cluster' },
    { name: 'from-storage', type: 'string', valueName: 'NAME', summary: 'Of several storages of the source this one; default: default' },
    { name: 'to-storage', type: 'string', valueName: 'NAME', summary: 'Of several storages of the target this one; default: default' },
  ],
  settings: ['WALG_UPLOAD_DISK_CONCURRENCY', 'WALG_PG_WAL_SIZE', 'WALTZ_CRYPTO_PLAINTEXT_WRITES'],
  load: async () => (await import('./copy.run.ts')).runCopy,
}
