export * from "../../lib/testing/compliance/concat.ts";
