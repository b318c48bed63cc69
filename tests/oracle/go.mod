module flux-security-operator.local/tests/oracle

go 1.26.0

require (
	github.com/spf13/pflag v1.0.10
	k8s.io/component-base v0.36.3
)

require (
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/cobra v1.10.2 // indirect
	k8s.io/apimachinery v0.36.3 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
)
