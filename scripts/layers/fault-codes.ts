import type { Member } from './read-workspace.ts'

/** A package may keep its table in several files of this name. */
const TABLE = /\/fault-codes\.ts$/
/** Cases of a conformance suite make faults to see whether they come back; nobody meets those outside of a test. */
const CONFORMANCE = /src\/conformance(?:\/|\.ts$)/

/** Codes that are thrown but not explained in their package's table, and codes explained but not thrown. */
export function faultCodeProblems(members: readonly Member[]): readonly string[] {
  const errors = members.find(({ name }) => name === 'errors')
  const common = errors === undefined ? [] : explainedCodes(errors)
  return members.filter(({ group }) => group !== 'tools').flatMap((member) => memberProblems(member, common))
}

function explainedCodes(member: Member): readonly string[] {
  const tables = member.modules.filter(({ path }) => TABLE.test(path))
  return tables.flatMap(({ scanned }) => [...scanned.code.matchAll(/^\s*([A-Z][A-Z0-9_]*)\s*:/gm)].map((match) => match[1] ?? ''))
}

/** `common` are the codes of the lowest package, which every other may throw. */
function memberProblems(member: Member, common: readonly string[]): readonly string[] {
  const explained = explainedCodes(member)
  const others = member.modules.filter(({ path }) => !TABLE.test(path) && !CONFORMANCE.test(path))
  const problems: string[] = []
  const literals = new Set(others.flatMap(({ scanned }) => scanned.texts.map(({ value }) => value)))
  for (const { path, scanned } of others) {
    const texts = new Map(scanned.texts.map(({ offset, value }) => [offset, value]))
    for (const match of scanned.code.matchAll(/\bnew\s+Fault\s*\(\s*(?:'\s*'|"\s*"|[\w$.]+)\s*,\s*(?=['"])/g)) {
      const code = texts.get(match.index + match[0].length)
      if (code !== undefined && !explained.includes(code) && !common.includes(code)) {
        problems.push(`${path}: the code ${code} is not explained in src/fault-codes.ts`)
      }
    }
  }
  for (const code of explained) {
    const place = `${member.folder}/src/fault-codes.ts`
    if (!literals.has(code)) problems.push(`${place}: ${code} is explained but never thrown`)
    if (explained.indexOf(code) !== explained.lastIndexOf(code)) problems.push(`${place}: ${code} is explained twice`)
  }
  return problems
}
