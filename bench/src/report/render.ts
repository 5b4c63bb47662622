/** The report as text for a terminal, as Markdown and as JSON. */
import { summarize } from '../statistics.ts'
import { absentLines, environmentLine, noiseLine, peerTable, verdictLine, verdictTable, workloadTables, type Report } from './report.ts'
import { markdownTable, plainTable } from './table.ts'

const COLUMNS =
  'CPU is that of the whole process tree and, in backups, of the server. Peak RSS is of the tree without the server, the most of all rounds. Foreign is how many cores others kept busy meanwhile.'

export function renderPlain(report: Report): string {
  const lines = [environmentLine(report), '']
  for (const { title, note, table } of workloadTables(report.rows)) {
    lines.push(`${title}  (${note})`, indent(plainTable(table)), '')
  }
  lines.push(`Targets: ${verdictLine(report.verdicts)}`, indent(plainTable(verdictTable(report.verdicts))), '', ...closing(report))
  return `${lines.join('\n')}\n`
}

/** `level` is that of the headings. */
export function renderMarkdown(report: Report, level = 3): string {
  const mark = '#'.repeat(level)
  const lines = [
    `Measured ${report.startedAt.slice(0, 10)} with \`${report.command}\`${report.quick ? ' (small data, few rounds: a look, not a proof)' : ''}: ${environmentLine(report)}.`,
    '',
    `${mark} Targets: ${verdictLine(report.verdicts)}`,
    '',
    markdownTable(verdictTable(report.verdicts)),
    '',
    `${mark} Figures`,
    '',
    COLUMNS,
    '',
  ]
  for (const { title, note, table } of workloadTables(report.rows)) {
    lines.push(`${mark}# ${title}`, '', `${note}.`, '', markdownTable(table), '')
  }
  lines.push(`${mark} Peers`, '', markdownTable(peerTable(report.peers)), '', ...closing(report).map((line) => `- ${line.split('\n')[0]}`))
  return `${lines.join('\n').trimEnd()}\n`
}

export function renderJson(report: Report): string {
  const peers = report.peers.map(({ peer, found }) => ({ name: peer.name, durability: peer.durability, debian: peer.debian, found }))
  const rows = report.rows.map((row) => ({ ...row, summary: summarize(row) }))
  return `${JSON.stringify({ ...report, peers, rows }, undefined, 2)}\n`
}

function closing(report: Report): readonly string[] {
  const failures = report.remarks.map(({ workload, peer, text }) => `${workload}, ${peer}: ${text}`)
  const stopped = report.complete ? [] : ['The run was stopped before its end.']
  return [noiseLine(report.rows), ...absentLines(report.peers), ...failures, ...stopped]
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
