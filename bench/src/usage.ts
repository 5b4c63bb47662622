/** `--help` and `--list`. */
import type { BenchOptions } from './arguments.ts'
import type { SeenPeer } from './model.ts'
import { formatDuration } from './progress.ts'
import { peerTable } from './report/report.ts'
import { plainTable } from './report/table.ts'
import { suites } from './suites/index.ts'

export function helpText(): string {
  return `npm run bench -- [SUITE...] [FLAGS]

Measures Waltz and its peers side by side, in interleaved rounds, and judges the targets.

Suites (all of them unless some are named):
${suites.map(({ name, about, onlyByName }) => `  ${name.padEnd(10)} ${about}${onlyByName === true ? ' (only when named)' : ''}`).join('\n')}

Flags:
  --quick            Small data, two rounds: under three minutes
  --rounds N         Rounds (5; --quick 2); workloads that take milliseconds have four times as many
  --sizes LIST       Sizes of the clusters to back up and restore, such as 512MiB,1GiB (1GiB,3GiB; --quick 128MiB)
  --codecs LIST      Codecs to back up and restore with (lz4,zstd,brotli,none; --quick lz4,zstd)
  --lock FILE        Hold this lock (flock) while measuring, for 45 s at a time, where several share a machine
  --patience N       Repeat a run that others disturbed up to N times, and keep the one that was disturbed least
  --only TEXT        Only workloads whose titles contain TEXT; may be repeated
  --earlier FILE     Add the samples of an earlier run (--json) of the same machine and sources; may be repeated
  --json FILE        Write every sample
  --markdown FILE    Write the tables as Markdown
  --write            Put the tables into docs/benchmarks.md; a suite that runs only when named has a section of its own there
  --list             Show workloads, peers, and which of them are absent
  -h, --help         Show this

The temporary folder is made in TMPDIR and removed at the end. Linux on x64; Debian packages of the peers:
  apt-get install postgresql-client pgbackrest lz4 zstd brotli xz-utils gzip lzop gpg rclone
`
}

export function listText(options: BenchOptions, peers: readonly SeenPeer[]): string {
  const chosen = suites.filter(({ name }) => options.suites.includes(name))
  const workloads = chosen.flatMap((suite) => suite.workloads(options))
  const seconds = workloads.reduce((sum, workload) => sum + workload.expectedSeconds, 0)
  const rows = workloads.map((workload) => [
    workload.suite,
    workload.title,
    workload.against,
    String(workload.rounds),
    formatDuration(workload.expectedSeconds),
  ])
  return [
    plainTable({ head: ['suite', 'workload', 'ratios against', 'rounds', 'about'], rows, left: [0, 1, 2] }),
    `\nabout ${formatDuration(seconds)} in all\n`,
    plainTable(peerTable(peers)),
    '',
  ].join('\n')
}
