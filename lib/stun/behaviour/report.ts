/**
 * What the findings come to. Pure.
 *
 * @module
 */
import type { NetAddr } from "../../pipe/types.ts";
import type { Finding } from "./filtering_kind.ts";
import { mappingKind, preservesPorts } from "./mapping_kind.ts";
import { portStep } from "./port_step.ts";
import type {
  BehaviourAspect,
  BindingLifetime,
  MappingObservation,
  NatBehaviour,
  NatFiltering,
} from "./types.ts";

/** What the tests found. */
export interface Findings {
  readonly observations: readonly MappingObservation[];
  /** Whether the external address is the socket's own. */
  readonly isOurs: (observation: MappingObservation) => boolean;
  /** Why there are no more observations; undefined if there are all. */
  readonly incomplete: string | undefined;
  readonly filtering: Finding<NatFiltering>;
  readonly hairpin: Finding<boolean | undefined>;
  readonly lifetime: Finding<BindingLifetime | undefined>;
  readonly local: NetAddr | undefined;
  readonly server: NetAddr | undefined;
}

/** Nothing is known, for this reason; or nobody wanted to know. */
export function nothing<T>(value: T, reason?: string): Finding<T> {
  return { value, confidence: 0, reason };
}

/** Puts together what there is to say. */
export function report(findings: Findings): NatBehaviour {
  const { observations, incomplete, filtering, hairpin, lifetime, local, server } = findings;
  const mapping = mappingKind(observations, findings.isOurs);
  const step = portStep(observations, mapping.value);
  return {
    mapping: mapping.value,
    filtering: filtering.value,
    hairpin: hairpin.value,
    portPreservation: preservesPorts(observations),
    step: step.value,
    lifetime: lifetime.value,
    confidence: {
      mapping: mapping.confidence,
      filtering: filtering.confidence,
      hairpin: hairpin.confidence,
      step: step.confidence,
      lifetime: lifetime.confidence,
    },
    reasons: {
      ...why("mapping", { ...mapping, reason: unknownFor(mapping, incomplete) }),
      ...why("filtering", filtering),
      ...why("hairpin", hairpin),
      ...why("step", { ...step, reason: unknownFor(step, incomplete) }),
      ...why("lifetime", lifetime),
    },
    mapped: observations[0]?.mapped,
    local,
    server,
    observations,
  };
}

/** Too few observations are so for a reason of their own. */
function unknownFor({ confidence, reason }: Finding<unknown>, incomplete: string | undefined) {
  return confidence === 0 ? incomplete ?? reason : reason;
}

function why(aspect: BehaviourAspect, { reason }: Finding<unknown>) {
  return reason === undefined ? {} : { [aspect]: reason };
}
