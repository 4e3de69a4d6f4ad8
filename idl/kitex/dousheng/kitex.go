package dousheng

import (
	"context"
	"net"
	"os"
	"strings"
	"time"

	"dousheng.example/idl/kitex_gen/base"
	"github.com/bytedance/gopkg/cloud/metainfo"
	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/connpool"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/endpoint"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/transmeta"
	"github.com/cloudwego/kitex/server"
	"github.com/cloudwego/kitex/transport"
	etcd "github.com/kitex-contrib/registry-etcd"
)

const (
	proofKey     = "PROOF"
	signatureTag = "signature"
	// CostKey is what a service answers beside its result: its calls and SQL statements, "1,0". A value that goes back has its prefix in Go:
	// Kitex sends and gives it as it is, the services in Rust add and take RPC_BACKWARD_.
	CostKey = "RPC_BACKWARD_COST"
	// RequestIDKey is the id of the request that all services work on. It goes along with the context.
	RequestIDKey = "REQUEST_ID"
)

// Settings are those that client and server need; their names are those of pkg/settings/defaults.toml.
type Settings struct {
	Endpoints []string
	Prefix    string
	Secrets   Secrets
}

// FromEnvironment reads DOUSHENG_ETCD__ENDPOINTS, DOUSHENG_ETCD__PREFIX and DOUSHENG_RPC__SECRET.
func FromEnvironment() Settings {
	prefix := os.Getenv("DOUSHENG_ETCD__PREFIX")
	if prefix == "" {
		prefix = "kitex/registry-etcd"
	}
	return Settings{
		Endpoints: strings.Split(os.Getenv("DOUSHENG_ETCD__ENDPOINTS"), ","),
		Prefix:    prefix,
		Secrets:   ParseSecrets(os.Getenv("DOUSHENG_RPC__SECRET")),
	}
}

// Client gives the options of a client that calls itself `caller`. Each call ends after `timeout`.
func (s Settings) Client(caller string, timeout time.Duration) ([]client.Option, error) {
	return s.Stranger(caller, timeout, s.Secrets)
}

// Stranger gives the options of a client that finds the services, but proves with other secrets, or none.
func (s Settings) Stranger(caller string, timeout time.Duration, secrets Secrets) ([]client.Option, error) {
	resolver, err := etcd.NewEtcdResolver(s.Endpoints, etcd.WithEtcdServicePrefix(s.Prefix))
	if err != nil {
		return nil, err
	}
	return []client.Option{
		client.WithClientBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: caller}),
		client.WithTransportProtocol(transport.TTHeaderFramed),
		client.WithMetaHandler(transmeta.ClientTTHeaderHandler),
		client.WithResolver(signed{resolver, s.Secrets}),
		client.WithRPCTimeout(timeout),
		client.WithLongConnection(connpool.IdleConfig{MaxIdlePerAddress: 16, MaxIdleGlobal: 256, MaxIdleTimeout: 15 * time.Second}),
		client.WithInstanceMW(secrets.prover()),
	}, nil
}

// Server gives the options of an instance of `service` at `address`, which is also the address that callers reach.
func (s Settings) Server(service, address string) ([]server.Option, error) {
	listen, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	etcdRegistry, err := etcd.NewEtcdRegistry(s.Endpoints, etcd.WithEtcdServicePrefix(s.Prefix))
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	if len(s.Secrets) > 0 {
		tags[signatureTag] = s.Secrets.SignRegistration(service, listen.String())
	}
	return []server.Option{
		server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: service}),
		server.WithMetaHandler(transmeta.ServerTTHeaderHandler),
		server.WithServiceAddr(listen),
		server.WithRegistry(etcdRegistry),
		server.WithRegistryInfo(&registry.Info{Tags: tags}),
		// A call ends when its caller no longer waits.
		server.WithEnableContextTimeout(true),
		server.WithMiddleware(s.Secrets.gate(service, listen.String())),
		server.WithMiddleware(validate),
	}, nil
}

// signed passes over instances that nobody with the secret has registered.
type signed struct {
	discovery.Resolver
	secrets Secrets
}

func (r signed) Resolve(ctx context.Context, service string) (discovery.Result, error) {
	result, err := r.Resolver.Resolve(ctx, service)
	if err != nil || len(r.secrets) == 0 {
		return result, err
	}
	var ours []discovery.Instance
	for _, instance := range result.Instances {
		signature, _ := instance.Tag(signatureTag)
		if r.secrets.IsOurs(service, instance.Address().String(), signature) {
			ours = append(ours, instance)
		}
	}
	if len(ours) == 0 {
		return discovery.Result{}, kerrors.ErrNoInstance
	}
	result.Instances = ours
	return result, nil
}

// prover puts a proof beside each attempt: it runs when the instance is chosen, and again at each retry.
func (s Secrets) prover() endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			if len(s) > 0 {
				ri := rpcinfo.GetRPCInfo(ctx)
				ctx = metainfo.WithValue(ctx, proofKey, s.Prove(Call{
					Service: ri.To().ServiceName(),
					Address: ri.To().Address().String(),
					Method:  ri.To().Method(),
					Caller:  ri.From().ServiceName(),
				}))
			}
			return next(ctx, req, resp)
		}
	}
}

// gate refuses calls without a proof for this instance.
func (s Secrets) gate(service, address string) endpoint.Middleware {
	verifier := NewVerifier(s)
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			if len(s) > 0 {
				ri := rpcinfo.GetRPCInfo(ctx)
				proof, _ := metainfo.GetValue(ctx, proofKey)
				if err := verifier.Verify(Call{
					Service: service,
					Address: address,
					Method:  ri.Invocation().MethodName(),
					Caller:  ri.From().ServiceName(),
				}, proof); err != nil {
					return refuse(ctx, base.Code_INTERNAL, err.Error())
				}
			}
			return next(ctx, req, resp)
		}
	}
}

// validate holds requests to the rules of the .thrift files, by the generated IsValid. It tells no value: it may be a password.
func validate(next endpoint.Endpoint) endpoint.Endpoint {
	return func(ctx context.Context, args, resp any) error {
		if args, ok := args.(interface{ GetFirstArgument() any }); ok {
			if request, ok := args.GetFirstArgument().(interface{ IsValid() error }); ok {
				if err := request.IsValid(); err != nil {
					rule, _, _ := strings.Cut(err.Error(), ", current value")
					return refuse(ctx, base.Code_BAD_PARAMETER, rule)
				}
			}
		}
		return next(ctx, args, resp)
	}
}

// Refusal is a business error for a handler to return.
func Refusal(code base.Code, message string) error {
	return kerrors.NewBizStatusError(int32(code), message)
}

// refuse answers from a middleware: Kitex looks for a business error only in what a handler returns.
func refuse(ctx context.Context, code base.Code, message string) error {
	if invocation, ok := rpcinfo.GetRPCInfo(ctx).Invocation().(rpcinfo.InvocationSetter); ok {
		invocation.SetBizStatusErr(kerrors.NewBizStatusError(int32(code), message))
	}
	return nil
}
