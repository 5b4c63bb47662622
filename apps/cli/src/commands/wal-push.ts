import type { CommandDefinition } from '../command.ts'

/** `wal-push`: its help and flags; the work is in wal-push.run.ts. */
export const walPush: CommandDefinition = {
  name: 'wal-push',
  summary: 'Archive one WAL file (for archive_command)',
  positionals: 'FILE',
  minArguments: 1,
  whenTooFew: "name the file to archive; in postgresql.conf: archive_command = 'waltz wal-push %p'",
  maxArguments: 1,
  description: [
    'Stores one WAL file (a segment, a .partial, .backup or .history file) and succeeds only when it is durable. The same bytes again succeed;',
    'other bytes under an archived name are refused, because two servers must never write into one archive. FILE may be relative to the data directory.',
  ].join('\n'),
  examples: [
    { command: "archive_command = 'waltz wal-push %p'", explains: 'in postgresql.conf, with archive_mode = on' },
    {
      command: "archive_command = 'waltz --config /etc/waltz.json wal-push %p'",
      explains: "settings from a file, where the server's environment has none",
    },
    { command: 'waltz wal-push pg_wal/000000010000000000000007', explains: 'by hand' },
  ],
  flags: [
    {
      name: 'target-storage',
      type: 'string',
      valueName: 'NAME',
      summary: 'Storage to write to: "default" or the name of a failover storage; otherwise the first that is alive',
      setting: 'WALG_TARGET_STORAGE',
    },
  ],
  settings: [
    'WALG_FILE_PREFIX',
    'WALG_STORAGE_PREFIX',
    'WALG_COMPRESSION_METHOD',
    'WALTZ_COMPRESSION_LEVEL',
    'WALG_PREVENT_WAL_OVERWRITE',
    'PGDATA',
  ],
  load: async () => (await import('./wal-push.run.ts')).runWalPush,
}
