export * from "../../lib/testing/compliance/hash.ts";
