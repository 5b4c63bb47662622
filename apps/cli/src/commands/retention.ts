import type { CommandDefinition, FlagDefinition } from '../command.ts'

const common: readonly FlagDefinition[] = [
  { name: 'policy', type: 'string', valueName: 'RULES', summary: 'What is kept, such as last=7, window=14d', setting: 'WALTZ_RETENTION' },
  {
    name: 'policy-file',
    type: 'string',
    valueName: 'FILE',
    summary: 'The same from a file, one rule or several on a line, # for comments',
    setting: 'WALTZ_RETENTION_FILE',
  },
  {
    name: 'series',
    type: 'string',
    valueName: 'ID',
    summary: 'System identifier of the cluster whose backups are judged; that of the newest backup otherwise',
  },
]

const settings: readonly string[] = [
  'WALTZ_RETENTION',
  'WALTZ_RETENTION_FILE',
  'WALG_FILE_PREFIX',
  'WALG_STORAGE_PREFIX',
  'WALG_FAILOVER_STORAGES',
  'WALTZ_FAILOVER_IGNORE',
  'WALTZ_UNFINISHED_BACKUP_AGE',
  'WALTZ_SPOOL_DIR',
]

const RULES = [
  'Each rule keeps something, and what none of them keeps goes:',
  'last=7 (the newest 7), fulls=2 (the newest 2 full ones and all since), within=14d, since=2026-01-01,',
  'hourly=24 daily=7 weekly=4 monthly=12 yearly=3 (the newest of each; daily=7@Europe/Berlin by the calendar of a zone),',
  'window=7d (every moment of the last 7 days), minimum=3 (at least so many that can be restored), all,',
  'archive(monthly=12) (the same, with no more WAL than each backup needs for itself).',
  'Permanent backups, what other backups depend on, the newest backup that can be restored, and what cannot be judged (unfinished, of another',
  'cluster, from the future, with a lost parent) stay in any case, and the plan says so.',
].join('\n')

const plan: CommandDefinition = {
  name: 'retention plan',
  summary: 'Show what the retention policy would delete, and why',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description: `Shows for each backup whether it stays and why, the WAL that goes, and what can be restored before and after. Nothing is deleted.\n${RULES}`,
  examples: [
    { command: 'waltz retention plan --policy "window=14d, archive(monthly=12)"', explains: 'what would go?' },
    { command: 'waltz retention plan --json', explains: 'for monitoring; the policy is in WALTZ_RETENTION' },
  ],
  flags: common,
  settings,
  load: async () => (await import('./retention.run.ts')).runRetentionPlan,
}

const apply: CommandDefinition = {
  name: 'retention apply',
  summary: 'Delete what the retention policy does not keep',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description: `Plans as waltz retention plan does and deletes what goes: sentinels first, then backups, then WAL. An interrupted deletion is finished by the next one. Made for cron: it asks nothing, and its exit code is 0 only when everything was deleted.\n${RULES}`,
  examples: [
    { command: 'waltz retention apply', explains: 'by the policy in WALTZ_RETENTION' },
    { command: 'waltz retention apply --plan 20260301T021044123Z-0123456789abcdef', explains: 'exactly what that plan showed, or nothing' },
  ],
  flags: [
    ...common,
    {
      name: 'plan',
      type: 'string',
      valueName: 'ID',
      summary: 'Delete exactly what the plan of this identifier showed, or nothing when the repository has changed since',
    },
  ],
  settings,
  load: async () => (await import('./retention.run.ts')).runRetentionApply,
}

/** `retention`: help and flags; the work is in retention.run.ts. */
export const retentionCommands: readonly CommandDefinition[] = [plan, apply]
