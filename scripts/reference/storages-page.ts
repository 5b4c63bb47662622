import {
  conformanceCases,
  faultsOfSingleStores,
  largeCases,
  networkFaultCases,
  partCases,
  raceCases,
  type ConformanceCase,
  type NetworkFaultCase,
} from '../../packages/storage/src/conformance.ts'
import type { ObjectStore, StoreCapabilities } from '../../packages/storage/src/index.ts'
import { reasonAgainst } from '../../tools/testkit/src/network-forms.ts'
import { storages, type StorageFacts } from './storage-facts.ts'

/** Reasons by their number, as the tables name them. */
type Notes = Map<string, number>
/** `soak`: only among the deep counts; or why it does not apply. */
type Verdict = 'yes' | 'soak' | { readonly reason: string }

/** Text of the page about what each storage can do and what is proven of it. */
export function storagesPage(note: string): string {
  const notes: Notes = new Map()
  const contract = [
    ...caseTable('The contract', conformanceCases, notes),
    ...caseTable('Objects in parts', partCases(2 ** 20), notes),
    ...caseTable('Races and large objects', [...raceCases(1000), ...largeCases], notes),
    ...faultTable(notes),
  ]
  return [
    '# Storages',
    '',
    note,
    '',
    'What each storage can do, and which promises are proven of it. To begin with one: [choose a storage](../guides/choose-a-storage.md);',
    'settings: [settings.md](settings.md). To ask a storage of your own: `waltz storage probe`.',
    '',
    '## Where it is proven',
    '',
    '| Storage | Package | Proven on | Not tried |',
    '| --- | --- | --- | --- |',
    ...storages.map(({ title, package: name, server, notTried }) => `| ${[title, `\`${name}\``, server, notTried].join(' | ')} |`),
    '',
    'Alibaba OSS has no package of its own: `WALG_OSS_PREFIX` uses the S3 store at its S3-compatible endpoint.',
    '',
    '## Capabilities',
    '',
    head('Capability'),
    rule(),
    ...capabilityRows(),
    '',
    'For S3 they are those on radosgw: what a provider can do is in a table, or found out by the first put on condition.',
    "*claim*: a small object that Waltz's writers create first guards the name; other programs do not look at it.",
    '',
    ...contract,
    '## Reasons',
    '',
    ...[...notes].map(([reason, number]) => `${number}. ${reason}`),
    '',
    '## Faults that each store has tests of its own for',
    '',
    'They need something that only a certain server does, so they are no common cases:',
    '',
    ...Object.entries(faultsOfSingleStores).map(([fault, reason]) => `- ${fault}: ${reason}`),
    '',
  ].join('\n')
}

const head = (first: string): string => `| ${[first, ...storages.map(({ title }) => title)].join(' | ')} |`
const rule = (): string => `| --- |${' --- |'.repeat(storages.length)}`
const cell = (text: string): string => text.replaceAll('|', '\\|')

const CAPABILITIES: readonly (readonly [keyof StorageFacts['capabilities'], string])[] = [
  ['conditionalPut', 'creates an object only once, in one request (`conditionalPut`)'],
  ['conditionalMultipart', 'the same for objects in parts: by whom (`conditionalMultipart`)'],
  ['ifMatch', 'replaces an object only if it is still the same (`ifMatch`)'],
  ['copy', 'copies without the bytes passing through Waltz (`copy`)'],
  ['rangedGet', 'reads a part of an object (`rangedGet`)'],
  ['maxDeleteBatch', 'keys that one call deletes (`maxDeleteBatch`)'],
]

function capabilityRows(): readonly string[] {
  const shown = (value: string | number | boolean): string => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value))
  return [
    ...CAPABILITIES.map(
      ([key, meaning]) => `| ${[meaning, ...storages.map(({ capabilities }) => shown(capabilities[key]))].join(' | ')} |`,
    ),
    `| ${['largest object', ...storages.map(({ largestObject }) => largestObject)].join(' | ')} |`,
  ]
}

function caseTable(title: string, cases: readonly ConformanceCase[], notes: Notes): readonly string[] {
  const rows = cases.map((item) => row(item.name, (facts) => caseVerdict(item, facts), notes))
  return [`## ${title}`, '', head('Promise'), rule(), ...rows, '']
}

function faultTable(notes: Notes): readonly string[] {
  const rows = networkFaultCases.map((item) => row(`${item.fault}: ${item.name}`, (facts) => faultVerdict(item, facts), notes))
  return [
    '## Bad days of the network',
    '',
    'Each store stands behind a proxy that does this to its connections, in every run of the tests. Where a store uploads in several forms, each',
    'promise is proven of the first form that it applies to; `npm run soak` goes through all of them.',
    '',
    head('Promise'),
    rule(),
    ...rows,
    '',
  ]
}

function row(name: string, verdict: (facts: StorageFacts) => Verdict, notes: Notes): string {
  const cells = storages.map((facts) => {
    const found = verdict(facts)
    if (typeof found === 'string') return found
    const { reason } = found
    const number = notes.get(reason) ?? notes.size + 1
    notes.set(reason, number)
    return `n/a (${number})`
  })
  return `| ${[cell(name), ...cells].join(' | ')} |`
}

function caseVerdict(item: ConformanceCase, { title, capabilities, large, refused, unclaimed }: StorageFacts): Verdict {
  const refusal = refused[item.name]
  if (refusal !== undefined) return { reason: `${title}: ${refusal}.` }
  if (item.needs?.(storeWith(capabilities)) !== false) return largeCases.includes(item) ? large : 'yes'
  const everything = {
    ...capabilities,
    copy: true,
    conditionalPut: true,
    conditionalMultipart: 'store',
    ifMatch: true,
    rangedGet: true,
  } as const
  const missing = (Object.keys(unclaimed) as readonly (keyof StorageFacts['capabilities'])[]).find(
    (key) => item.needs?.(storeWith({ ...everything, [key]: capabilities[key] })) === false,
  )
  const reason = Object.entries(unclaimed).find(([key]) => key === missing)?.[1]
  if (reason === undefined) throw new Error(`${title}: no reason is given why it does not claim what this is about: ${item.name}`)
  return { reason: `${title}: ${reason}.` }
}

function faultVerdict(item: NetworkFaultCase, { title, network }: StorageFacts): Verdict {
  if (typeof network === 'string') return { reason: `${title}: ${network}.` }
  const reasons = network.map((form) => reasonAgainst(item, form))
  // Every case runs in the first form that it applies to: see `testNetworkFaults`.
  return reasons.includes(undefined) ? 'yes' : { reason: `${title}: ${reasons[0]}.` }
}

/** Cases ask for nothing but the capabilities before they run. */
function storeWith(capabilities: Omit<StoreCapabilities, 'maxObjectBytes'>): ObjectStore {
  return { capabilities: { ...capabilities, maxObjectBytes: Number.MAX_SAFE_INTEGER } } as ObjectStore
}
