/**
 * What it means to be an `ObjectStore`, as data: every case is a name and a function that throws when the store
 * breaks a promise of the contract. Run them under any test runner, against any store.
 */
import type { ConformanceCase } from './conformance/case.ts'
import { abortCases } from './conformance/abort-cases.ts'
import { concurrencyCases } from './conformance/concurrency-cases.ts'
import { conditionCases } from './conformance/condition-cases.ts'
import { deleteCases } from './conformance/delete-cases.ts'
import { getCases } from './conformance/get-cases.ts'
import { groupCases } from './conformance/group-cases.ts'
import { listCases } from './conformance/list-cases.ts'
import { putCases } from './conformance/put-cases.ts'
import { putFailureCases } from './conformance/put-failure-cases.ts'

export type { ConformanceCase } from './conformance/case.ts'
export { partCases } from './conformance/part-cases.ts'
export { raceCases } from './conformance/race-cases.ts'
export { largeCases, largeCasesWithin, type MemoryBound } from './conformance/large-cases.ts'
export { manyCases } from './conformance/many-cases.ts'
export { faultsOfSingleStores, networkFaultCases } from './conformance/network-cases.ts'
export type {
  FaultCaseLimits,
  FaultyNetwork,
  NetworkFault,
  NetworkFaultCase,
  NetworkFixture,
  RequestLines,
} from './conformance/faulty-network.ts'

/**
 * All cases. Each works below a key prefix of its own, which it empties before and after, so one store may serve them
 * all, even at the same time; a store that is not empty is not disturbed elsewhere.
 */
export const conformanceCases: readonly ConformanceCase[] = [
  ...getCases,
  ...putCases,
  ...putFailureCases,
  ...conditionCases,
  ...listCases,
  ...groupCases,
  ...deleteCases,
  ...abortCases,
  ...concurrencyCases,
]
