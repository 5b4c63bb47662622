import type { NetworkFaultCase } from './faulty-network.ts'
import { networkAbortCases } from './network-abort-cases.ts'
import { networkAnswerCases } from './network-answer-cases.ts'
import { networkDownloadCases } from './network-download-cases.ts'
import { networkUploadCases } from './network-upload-cases.ts'

/**
 * What every store that talks over a network must bear. Run those that are given the same network one after the other; with a network
 * each they may run at the same time, against one server. Each works below a prefix of its own, and ends with a look at leftovers and
 * open connections; that no promise is rejected unheard is for the test runner to see.
 */
export const networkFaultCases: readonly NetworkFaultCase[] = [
  ...networkUploadCases,
  ...networkDownloadCases,
  ...networkAnswerCases,
  ...networkAbortCases,
]

/** Faults that need something of a certain server, so that each store has tests of its own for them, with the reason. */
export const faultsOfSingleStores: Readonly<Record<string, string>> = {
  F11: 'a stale listing is made by the server, not by the network: the contract asks for stores whose listings are never stale',
  F13: 'how a server says that clocks differ is its own',
  F15: 'how a server says that a quota is used up is its own',
  F16: 'object locks and the lack of bulk deletion are the own of each server; a delete that is refused is part of F12',
}
